import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** Encrypts texts so that each opens only in the place that it was sealed for. */
export interface Seal {
  seal(text: string, place: readonly string[]): Uint8Array
  /** Throws when the bytes were changed, moved to another place, or sealed under another key. */
  open(sealed: Uint8Array, place: readonly string[]): string
}

const algorithm = 'aes-256-gcm'
/** Says how the rest is laid out: version, nonce, ciphertext, tag. */
const version = 1
const nonceBytes = 12
const tagBytes = 16

/** AES-256-GCM under a key of its own derived from this one. Every value has a fresh nonce; its place is authenticated. */
export function createSeal(encryptionKey: Uint8Array): Seal {
  const key = derivedKey(encryptionKey, 'carrick secrets')
  return {
    seal(text, place) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(bound(place))
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([Buffer.of(version), nonce, ciphertext, cipher.getAuthTag()])
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed)
      if (bytes[0] !== version || bytes.length < 1 + nonceBytes + tagBytes) throw unreadable()
      const nonce = bytes.subarray(1, 1 + nonceBytes)
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
      decipher.setAAD(bound(place)).setAuthTag(bytes.subarray(-tagBytes))
      try {
        return decipher.update(bytes.subarray(1 + nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      } catch (cause) {
        throw unreadable(cause)
      }
    },
  }
}

/** 32 bytes for one purpose, so that nothing learned in one use says anything about another. */
export function derivedKey(encryptionKey: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', encryptionKey, '', purpose, 32))
}

/** JSON, because parts joined in another way could be cut in another place. */
const bound = (place: readonly string[]): Buffer => Buffer.from(JSON.stringify([version, ...place]))

const unreadable = (cause?: unknown) =>
  new Error('an encrypted value was changed, moved, or sealed under another key', { cause })
