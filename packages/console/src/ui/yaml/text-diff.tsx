import { useMemo } from 'react'
import { hunks, lineDiff } from '../../model/line-diff.ts'

const signs = { same: ' ', removed: '-', added: '+' } as const

/** What leads from one text to another, by lines: signs beside the colours, and as deletions and insertions. */
export function TextDiff({ before, after, label }: { before: string; after: string; label: string }) {
  const lines = useMemo(() => hunks(lineDiff(before, after)), [before, after])
  if (lines.length === 0) return <p>No line differs.</p>
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
    <section className="console-diff" aria-label={label} tabIndex={0} data-test="diff">
      {lines.map((line, at) => {
        if (line === undefined) return <div key={`before ${lines[at + 1]?.new ?? `line ${at}`}`}>…</div>
        const text = `${signs[line.kind]} ${line.text}`
        const key = `${line.kind} ${line.old ?? ''} ${line.new ?? ''}`
        if (line.kind === 'removed') return <del key={key}>{text}</del>
        return line.kind === 'added' ? <ins key={key}>{text}</ins> : <div key={key}>{text}</div>
      })}
    </section>
  )
}
