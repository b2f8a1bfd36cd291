import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'

// The editor in the colours of the page, light and dark: tokens change with the theme, so there is one for both.

const token = (name: string): string => `var(--pf-t--global--${name})`

const regular = token('text--color--regular')
const subtle = token('text--color--subtle')
const border = `1px solid ${token('border--color--default')}`
const raised = token('background--color--secondary--default')

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: token('text--color--link--default') },
  { tag: [tags.string, tags.content], color: regular },
  { tag: [tags.keyword, tags.number, tags.bool, tags.null, tags.atom], color: token('text--color--link--visited') },
  { tag: [tags.comment, tags.meta, tags.punctuation, tags.separator], color: subtle },
])

export const codeTheme = [
  syntaxHighlighting(colours),
  EditorView.theme({
    '&': { color: regular, backgroundColor: token('background--color--primary--default'), border, height: '100%' },
    '&.cm-focused': { outline: `2px solid ${token('border--color--clicked')}` },
    '.cm-scroller': { fontFamily: token('font--family--mono'), fontSize: token('font--size--body--default') },
    '.cm-content': { caretColor: regular },
    '.cm-cursor': { borderLeftColor: regular },
    '.cm-gutters': { color: subtle, backgroundColor: raised, borderRight: border },
    '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: token('background--color--primary--hover') },
    '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
      backgroundColor: token('background--color--highlight--default'),
    },
    '.cm-foldPlaceholder': { color: subtle, backgroundColor: raised, border },
    '.cm-panels, .cm-tooltip': { color: regular, backgroundColor: raised, border },
    '.cm-panels.cm-panels-bottom': { borderTop: border },
    '.cm-textfield': { color: regular, backgroundColor: token('background--color--primary--default'), border },
    '.cm-button': { color: regular, backgroundImage: 'none', backgroundColor: raised, border },
  }),
]
