import { indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint'
import { Compartment, EditorState, type Extension, Transaction } from '@codemirror/state'
import { EditorView, keymap } from '@codemirror/view'
import { basicSetup } from 'codemirror'
import { forwardRef, useEffect, useImperativeHandle, useRef } from 'react'
import type { Problem } from '../../model/yaml-text.ts'
import { codeTheme } from './code-theme.ts'

export interface CodeAreaHandle {
  /** Puts the cursor into a line, from 1, and the focus into the editor. */
  reveal(line: number): void
}

interface Props {
  label: string
  /** The id of what is said about the editor. */
  describedBy: string
  text: string
  /** Called for what the user types, not for a new `text`. */
  onChange: (text: string) => void
  readOnly: boolean
  problems: readonly Problem[]
}

/** An editor for YAML. Tab indents; Escape, then Tab leaves it. */
export const CodeArea = forwardRef<CodeAreaHandle, Props>(function CodeArea(props, handle) {
  const { label, describedBy, text, onChange, readOnly, problems } = props
  const place = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | undefined>(undefined)
  const access = useRef(new Compartment())
  const changed = useRef(onChange)
  changed.current = onChange
  const initial = useRef({ text, access: accessOf(label, describedBy, readOnly) })

  useEffect(() => {
    if (!place.current) return
    const editor = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: initial.current.text,
        extensions: [
          basicSetup,
          yaml(),
          lintGutter(),
          keymap.of([indentWithTab]),
          codeTheme,
          access.current.of(initial.current.access),
          EditorView.updateListener.of(({ docChanged, transactions, state }) => {
            const typed = transactions.some((transaction) => transaction.annotation(Transaction.remote) !== true)
            if (docChanged && typed) changed.current(state.doc.toString())
          }),
        ],
      }),
    })
    view.current = editor
    return () => {
      view.current = undefined
      editor.destroy()
    }
  }, [])

  useEffect(() => {
    view.current?.dispatch({
      effects: access.current.reconfigure(accessOf(label, describedBy, readOnly)),
    })
  }, [label, describedBy, readOnly])

  useEffect(() => {
    if (view.current) replaceText(view.current, text)
  }, [text])

  useEffect(() => {
    const editor = view.current
    if (!editor) return
    editor.dispatch(
      setDiagnostics(
        editor.state,
        problems.flatMap((problem) => diagnosticOf(editor.state, problem)),
      ),
    )
  }, [problems])

  useImperativeHandle(handle, () => ({
    reveal(line) {
      const editor = view.current
      if (!editor) return
      const { from } = editor.state.doc.line(Math.min(line, editor.state.doc.lines))
      editor.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) })
      editor.focus()
    },
  }))

  return <div ref={place} className="console-code" data-test="code" />
})

function accessOf(label: string, describedBy: string, readOnly: boolean): Extension {
  return [
    EditorState.readOnly.of(readOnly),
    EditorView.contentAttributes.of({
      'aria-label': label,
      // Editable content has the focus anyway; not everything that checks pages knows.
      tabindex: '0',
      'aria-describedby': describedBy,
      ...(readOnly ? { 'aria-readonly': 'true' } : {}),
    }),
  ]
}

/** Only what differs is replaced, so that cursor and scroll position stay where the reader is. */
function replaceText(editor: EditorView, text: string): void {
  const old = editor.state.doc.toString()
  if (old === text) return
  const shorter = Math.min(old.length, text.length)
  let start = 0
  while (start < shorter && old[start] === text[start]) start++
  let end = 0
  while (end < shorter - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end++
  editor.dispatch({
    changes: { from: start, to: old.length - end, insert: text.slice(start, text.length - end) },
    annotations: [Transaction.remote.of(true), Transaction.addToHistory.of(false)],
  })
}

function diagnosticOf({ doc }: EditorState, { line, message }: Problem): Diagnostic[] {
  if (line === undefined) return []
  const { from, to, text } = doc.line(Math.min(line, doc.lines))
  return [{ from: from + (text.length - text.trimStart().length), to, severity: 'error', message }]
}
