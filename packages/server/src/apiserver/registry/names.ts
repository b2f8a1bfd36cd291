const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const labelPattern = new RegExp(`^${label}$`)
const subdomainPattern = new RegExp(`^${label}(\\.${label})*$`)
const qualifiedNamePattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const labelValuePattern = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const qualifiedNameText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const labelValueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

/** Why this is not a DNS-1123 label of at most 63 characters. */
export function whyNotLabel(name: string): string | undefined {
  if (name.length > 63) return 'must be no more than 63 characters'
  return labelPattern.test(name) ? undefined : labelText
}

/** Why this is not a DNS-1123 subdomain of at most 253 characters. */
export function whyNotSubdomain(name: string): string | undefined {
  if (name.length > 253) return 'must be no more than 253 characters'
  return subdomainPattern.test(name) ? undefined : subdomainText
}

/** Why this cannot be one segment of a path; RBAC kinds allow everything else. */
export function whyNotPathSegment(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`
  const bad = ['/', '%'].find((character) => name.includes(character))
  return bad === undefined ? undefined : `may not contain '${bad}'`
}

/** Why this is not a key of labels, annotations or finalizers: `name` or `prefix/name`. */
export function whyNotQualifiedName(key: string): string | undefined {
  const slash = key.indexOf('/')
  const prefix = slash < 0 ? undefined : key.slice(0, slash)
  const name = key.slice(slash + 1)
  if (name.includes('/'))
    return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
  if (prefix === '') return 'prefix part must be non-empty'
  const badPrefix = prefix === undefined ? undefined : whyNotSubdomain(prefix)
  if (badPrefix !== undefined) return `prefix part ${badPrefix}`
  if (name === '') return 'name part must be non-empty'
  if (name.length > 63) return 'name part must be no more than 63 characters'
  return qualifiedNamePattern.test(name) ? undefined : qualifiedNameText
}

export function whyNotLabelValue(value: string): string | undefined {
  if (value.length > 63) return 'must be no more than 63 characters'
  return labelValuePattern.test(value) ? undefined : labelValueText
}
