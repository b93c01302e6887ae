import { join } from 'node:path'
import type { Logger } from '../../kit/logger.ts'
import { openBucket, type Bucket } from './bucket.ts'
import type { S3Options } from './options.ts'
import { openS3Blobs } from './s3-blobs.ts'
import { openS3Objects } from './s3-objects.ts'
import { factsOf } from './trouble.ts'

/** How long a call goes on trying for which somebody waits. */
const doorMs = 8_000

interface S3StorageParts {
  readonly options: S3Options
  /** Whose bytes they are. */
  readonly installation: string
  /** For what is on its way. */
  readonly folder: string
  readonly log: Logger
}

/** Opens blobs and uploads in a bucket. Throws a sentence when it cannot be used, or is another installation's. */
export async function openS3Storage({ options, installation, folder, log }: S3StorageParts) {
  const bucket = openBucket(options)
  try {
    await claim(bucket, installation)
    await bucket.dropUnfinished()
  } catch (error) {
    bucket.close()
    throw new Error(sentenceOf(options, error), { cause: error })
  }
  const shared = { bucket, persistMs: doorMs, onTrouble: troubleIn(log, options.address) }
  return {
    blobs: await openS3Blobs({ ...shared, folder: join(folder, 'blobs') }),
    objects: await openS3Objects({ ...shared, folder: join(folder, 'objects') }),
    close: () => bucket.close(),
  }
}

const sayEveryMs = 10_000

/** Says that there is trouble, and not for each of the many who meet it. */
function troubleIn(log: Logger, address: string): (error: unknown) => void {
  let saidAt = -Infinity
  return (error) => {
    if (performance.now() - saidAt < sayEveryMs) return
    saidAt = performance.now()
    log.warn(
      { err: error },
      `the object store ${address} cannot be used at the moment; what needs it waits, or is refused`,
    )
  }
}

/** What somebody else stores below the same prefix would be named by nothing here, and swept. */
async function claim(bucket: Bucket, installation: string): Promise<void> {
  const owner = await bucket.read('installation')
  if (owner === undefined) await bucket.write('installation', installation)
  else if (owner !== installation) throw new Foreign(owner)
}

class Foreign extends Error {
  constructor(owner: string) {
    super(`it belongs to the installation ${owner}, as its object "installation" says; take another prefix`)
  }
}

const reasons: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket; make it first',
  InvalidAccessKeyId: 'the access key is not known there (CARRICK_S3_ACCESS_KEY_ID)',
  SignatureDoesNotMatch: 'the secret key is wrong (CARRICK_S3_SECRET_ACCESS_KEY)',
  AccessDenied:
    'access is denied; the key needs GetObject, PutObject, DeleteObject, ListBucket, ListBucketMultipartUploads and AbortMultipartUpload',
  AuthorizationHeaderMalformed: 'the bucket is in another region (CARRICK_S3_REGION)',
  PermanentRedirect: 'the bucket is in another region (CARRICK_S3_REGION)',
  CredentialsProviderError: 'there is no access key (CARRICK_S3_ACCESS_KEY_ID, or the variables of the AWS tools)',
  TimeoutError: 'the server does not answer (CARRICK_S3_ENDPOINT)',
}

function sentenceOf({ address, endpoint }: S3Options, error: unknown): string {
  const { name, code, status, message } = factsOf(error)
  const plain = status === undefined ? (code ?? message) : `${status} ${name}: ${message}`
  const why = error instanceof Foreign ? message : (reasons[name] ?? `the server cannot be used (${plain})`)
  return `${address}${endpoint === '' ? '' : ` at ${endpoint}`} cannot keep the data of this server: ${why}`
}
