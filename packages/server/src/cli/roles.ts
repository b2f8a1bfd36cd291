/** The parts `stillpoint up` can start. */
export const roles = ['apiserver', 'snapshot', 'restore', 'machine', 'volume', 'console'] as const
export type Role = (typeof roles)[number]
