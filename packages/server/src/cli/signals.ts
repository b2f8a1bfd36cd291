/** Resolves with the first of the signals that arrives. A second one ends the process at once. */
export function firstSignal(...signals: NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of signals)
      process.once(signal, () => {
        for (const other of signals) process.once(other, () => process.exit(1))
        resolve(signal)
      })
  })
}
