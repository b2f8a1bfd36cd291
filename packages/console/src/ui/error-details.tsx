import { describeError } from '../model/describe-error.ts'

/** What went wrong, for people: the server's words, the remedy where there is one, and the code to ask about it. */
export function ErrorDetails({ error }: { error: unknown }) {
  const { title, detail, remedy, code } = describeError(error)
  return (
    <>
      <p>
        {title}: {detail}
      </p>
      {remedy === undefined ? null : <p>{remedy}</p>}
      {code === undefined ? null : <p className="console-subtle">Code: {code}</p>}
    </>
  )
}
