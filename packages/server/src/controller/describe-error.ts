/** The whole chain of an error on one line: `freeze guest of web-1: command guest-fsfreeze-freeze: timed out`. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  for (
    let at: unknown = error;
    at !== undefined && parts.length < 10;
    at = at instanceof Error ? at.cause : undefined
  ) {
    const text = at instanceof Error ? at.message : String(at)
    if (!parts.at(-1)?.endsWith(text)) parts.push(text)
  }
  return parts.join(': ')
}
