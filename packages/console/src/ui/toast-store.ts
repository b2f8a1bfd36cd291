import type { ReactNode } from 'react'

// What has just happened, said once, wherever on the page the reader is.

export interface Toast {
  /** A toast of the same key takes the other's place: how progress becomes an outcome. */
  key: string
  tone: 'success' | 'danger' | 'warning' | 'info'
  title: string
  body?: ReactNode
  link?: { to: string; text: string }
  /** Goes away by itself. What somebody must act on, and what still goes on, does not. */
  passing?: boolean
}

let toasts: readonly Toast[] = []
const listeners = new Set<() => void>()
let count = 0

function set(next: readonly Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

/** Shows a toast, or changes the one of that key. Answers its key. */
export function showToast({ key = `toast-${++count}`, ...rest }: Omit<Toast, 'key'> & { key?: string }): string {
  const toast: Toast = { key, ...rest }
  const known = toasts.some((each) => each.key === key)
  set(known ? toasts.map((each) => (each.key === key ? toast : each)) : [...toasts, toast])
  return key
}

export function hideToast(key: string): void {
  if (toasts.some((each) => each.key === key)) set(toasts.filter((each) => each.key !== key))
}

/** Forgets all: they were for somebody who has signed out. */
export function hideToasts(): void {
  set([])
}

export const toastStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
  get: (): readonly Toast[] => toasts,
}
