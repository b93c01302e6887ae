import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { addSigningKey, sealedSigningKey } from '../store/signing-key.ts'
import type { Store } from '../store/store.ts'
import { createSeal } from './seal.ts'

/** Signs what the installation sends to others, with an Ed25519 key pair that is made on first use and kept. */
export interface Signer {
  /** 64 bytes in lower-case hex. */
  sign(message: string): Promise<string>
  /** The public half, for receivers to verify with. */
  publicKeys(): Promise<Jwks>
}

/** A JSON Web Key Set. */
export interface Jwks {
  readonly keys: readonly Readonly<Record<'kty' | 'crv' | 'alg' | 'use' | 'kid' | 'x', string>>[]
}

export interface SignerParts {
  readonly store: Store
  readonly encryptionKey: Uint8Array
}

export function createSigner(parts: SignerParts): Signer {
  let loading: Promise<KeyObject> | undefined
  const key = (): Promise<KeyObject> => {
    loading ??= openSigningKey(parts).catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
  return {
    sign: async (message) => sign(null, Buffer.from(message), await key()).toString('hex'),
    publicKeys: async () => jwksOf(createPublicKey(await key())),
  }
}

/** The sealed key under another encryption key. */
export function resealedSigningKey(sealed: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  return createSeal(to).seal(createSeal(from).open(sealed, place), place)
}

async function openSigningKey({ store, encryptionKey }: SignerParts): Promise<KeyObject> {
  const seal = createSeal(encryptionKey)
  if ((await store.read(sealedSigningKey())) === undefined) {
    const { privateKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    await store.commit(addSigningKey(seal.seal(pem, place)))
  }
  const sealed = await store.read(sealedSigningKey())
  if (sealed === undefined) throw new Error('the store does not show the signing key that was written just now')
  return createPrivateKey(seal.open(sealed, place))
}

/** No secret's place has one part. */
const place = ['signing key']

/**
 * The key as RFC 8037 has it, and once more with the padding that base64 of other kinds has: receivers try every key, and
 * the sample that many Python receivers copy decodes with padding only (docs/decisions/0026).
 */
function jwksOf(key: KeyObject): Jwks {
  const x = key.export({ format: 'jwk' }).x ?? ''
  const kid = createHash('sha256').update(x).digest('hex').slice(0, 16)
  const common = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' }
  return {
    keys: [
      { ...common, kid, x },
      { ...common, kid: `${kid}-padded`, x: `${x}=` },
    ],
  }
}
