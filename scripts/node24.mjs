/** Finds the Node this project runs on. Plain JavaScript without dependencies: it runs before anything is set up. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const NODE_VERSION = '24.21.0'
const NEEDED_MAJOR = 24

/** The npm package holding a Node for this machine. */
export const nodePackage = `node-${process.platform}-${process.arch}`
const fetched = join(root, '.tools/node/node_modules', nodePackage, 'bin/node')

/** True when the Node running this is new enough by itself. */
export const ownNodeIsEnough = Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR

/** A Node new enough: the running one, or the one set-up has fetched; undefined when there is neither. */
export function findNode() {
  if (ownNodeIsEnough) return process.execPath
  return existsSync(fetched) ? fetched : undefined
}

/** True when the Node fetched is the one wanted now. Read, not run: this is asked before every command. */
export function fetchedNodeIsCurrent() {
  const manifest = join(dirname(dirname(fetched)), 'package.json')
  return existsSync(fetched) && JSON.parse(readFileSync(manifest, 'utf8')).version === NODE_VERSION
}

/** Runs the fetched Node, which is the only proof that it suits this machine. */
export function fetchedNodeWorks() {
  try {
    return execFileSync(fetched, ['--version'], { encoding: 'utf8' }).trim() === `v${NODE_VERSION}`
  } catch {
    return false
  }
}
