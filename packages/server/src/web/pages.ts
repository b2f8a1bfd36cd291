import type { Answer } from '../apiserver/http/answer.ts'

/** A page of a few words, for when the application itself cannot be shown. */
export function plainPage(code: number, title: string, text: string): Answer {
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<body style="font-family: sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>${escaped(title)}</h1>
<p>${escaped(text).replace(/`([^`]*)`/g, '<code>$1</code>')}</p>
</body>
</html>
`
  return { code, body, contentType: 'text/html; charset=utf-8', headers: { 'Cache-Control': 'no-store' } }
}

export const notBuilt = plainPage(
  503,
  'The web console is not built',
  'Run `npm run setup` in the folder of this project, then load this page again. The Kubernetes API is not affected.',
)

export const unknownHost = plainPage(
  403,
  'Not known by this name',
  'The web console answers to `localhost` and to the address it listens on. To reach it by another name, start it with `--console-host NAME`.',
)

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
