/** The parts `stillpoint up` can start. */
export const roles = ['apiserver', 'snapshot', 'restore', 'clone', 'machine', 'volume', 'console'] as const
export type Role = (typeof roles)[number]
