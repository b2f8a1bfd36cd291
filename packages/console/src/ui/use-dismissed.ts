import { useState } from 'react'
import { readDismissed, withDismissed } from '../model/dismissed.ts'

/** What this person has read and does not want to see again, kept in this browser; `what` names its kind. */
export function useDismissed(what: string): { dismissed: ReadonlySet<string>; dismiss: (uid: string) => void } {
  const key = `stillpoint.dismissed.${what}`
  const [known, setKnown] = useState(() => readDismissed(localStorage.getItem(key)))
  return {
    dismissed: new Set(known),
    dismiss: (uid) => {
      const next = withDismissed(known, uid)
      setKnown(next)
      localStorage.setItem(key, JSON.stringify(next))
    },
  }
}
