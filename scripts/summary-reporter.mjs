/** A vitest reporter that leaves counts, and each skipped test's reason, in the file $TEST_SUMMARY for scripts/test.mjs. */
import { writeFileSync } from 'node:fs'

export default class SummaryReporter {
  #counts = { passed: 0, failed: 0 }
  #skipped = []

  onTestCaseResult(test) {
    const { state, note } = test.result()
    if (state === 'skipped') this.#skipped.push({ name: test.fullName, file: test.module.relativeModuleId, note })
    else if (state in this.#counts) this.#counts[state] += 1
  }

  onTestRunEnd() {
    writeFileSync(process.env.TEST_SUMMARY, JSON.stringify({ ...this.#counts, skipped: this.#skipped }))
  }
}
