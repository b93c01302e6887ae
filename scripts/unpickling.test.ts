import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../', import.meta.url))

/** What reads a pickle: Python's modules for it, and packages that do it in JavaScript. */
const reads = [
  /\b(?:cloudpickle|_?pickle|dill|joblib)\s*\.\s*(?:loads?|Unpickler)\b/,
  /(?:from|import|require)\s*\(?\s*['"][^'"./]*(?:pickle|dill)[^'"]*['"]/,
  /^\s*"[^"]*(?:pickle|dill)[^"]*":\s*"[\^~]?\d/m, // a dependency
  /import_module\([^)]*\)\s*\.\s*loads/,
]

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /\.(?:ts|js|mjs|py|json|sh)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(?:node_modules|dist)\//.test(path))
}

async function readersBelow(folder: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const path of await filesBelow(folder)) {
    const text = await readFile(path, 'utf8')
    if (reads.some((pattern) => pattern.test(text))) found.push(path.slice(root.length))
  }
  return found
}

test('no part of the platform reads pickles', async () => {
  expect(await readersBelow('packages')).toEqual([])
})

test('a runner reads them at one place', async () => {
  expect(await readersBelow('runners/python/carrick_runner')).toEqual(['runners/python/carrick_runner/load.py'])
})
