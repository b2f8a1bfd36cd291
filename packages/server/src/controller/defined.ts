type Loose<T> = { [K in keyof T]: T[K] | undefined }

/** Without the members that are undefined, so that what is compared is what is written. */
export function defined<T extends object>(value: Loose<T>): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T
}
