/** The labels of an object. */
export function LabelList({ labels = {} }: { labels?: Readonly<Record<string, string>> | undefined }) {
  const entries = Object.entries(labels)
  if (entries.length === 0) return <span className="console-subtle">No labels</span>
  return (
    <ul className="console-labels" data-test="label-list" aria-label="Labels">
      {entries.map(([key, value]) => (
        <li key={key}>
          <span className="pf-v6-c-label pf-m-compact pf-m-outline">
            <span className="pf-v6-c-label__content">
              <span className="pf-v6-c-label__text">
                <span data-test="label-key">{key}</span>
                {value === '' ? null : (
                  <>
                    =<span data-test="label-value">{value}</span>
                  </>
                )}
              </span>
            </span>
          </span>
        </li>
      ))}
    </ul>
  )
}
