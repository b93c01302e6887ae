/**
 * The digest thread: computes SHA-256 of what is uploaded, so that a layer of gigabytes does not keep calls to apps
 * waiting. There is one while large uploads are under way, and none else.
 */
import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { FromDigester, ToDigester } from './digest-messages.ts'

const hashes = new Map<number, Hash>()
const say = (message: FromDigester) => parentPort?.postMessage(message)

function hashOf(id: number): Hash {
  const hash = hashes.get(id) ?? createHash('sha256')
  hashes.set(id, hash)
  return hash
}

parentPort?.on('message', (message: ToDigester) => {
  const { id } = message
  switch (message.kind) {
    case 'bytes':
      hashOf(id).update(message.piece)
      return say({ kind: 'done', id })
    case 'ask':
      return say({ kind: 'digest', id, sha256: hashOf(id).copy().digest('hex') })
    case 'forget':
      return void hashes.delete(id)
  }
})
