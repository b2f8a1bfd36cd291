import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'

/** A certificate and its key, PEM, from the files two options name; undefined without both. */
export async function pairOf(
  certOption: string,
  certFile: string | undefined,
  keyOption: string,
  keyFile: string | undefined,
): Promise<{ cert: string; key: string } | undefined> {
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined)
    throw new Error(`${certOption} and ${keyOption} belong together: give both`)
  const pair = { cert: await fileOf(certOption, certFile), key: await fileOf(keyOption, keyFile) }
  mustFit(pair, [certFile, keyFile])
  return pair
}

/** Throws when certificate, key and authority are not of each other. */
export function mustFit(pem: { cert: string; key: string; ca?: string | undefined }, files: readonly string[]): void {
  const { ca, ...pair } = pem
  try {
    createSecureContext({ ...pair, ...(ca === undefined ? {} : { ca }) })
  } catch (cause) {
    throw new Error(`${files.join(', ')} do not fit together, or are no PEM files`, { cause })
  }
}

export async function fileOf(option: string, file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`${option} ${file} cannot be read; give the path of a PEM file`, { cause })
  })
}
