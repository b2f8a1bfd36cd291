/**
 * A function of one object, worked out once for each: objects of the cache never change, a new version is a new
 * object. For what lists ask of thousands of rows, to sort or to filter them.
 */
export function perObject<T extends object, R>(compute: (object: T) => R): (object: T) => R {
  const known = new WeakMap<T, { result: R }>()
  return (object) => {
    let entry = known.get(object)
    if (entry === undefined) {
      entry = { result: compute(object) }
      known.set(object, entry)
    }
    return entry.result
  }
}
