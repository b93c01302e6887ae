/** A bucket, or a folder of one, at a server that speaks S3. */
export interface S3Options {
  /** `s3://bucket/prefix` */
  readonly address: string
  /** Its URL. Empty for AWS itself. */
  readonly endpoint: string
  readonly region: string
  /** Empty: from the variables, files and services that the AWS tools look at. */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Whether the bucket stands in the path instead of the host's name. */
  readonly pathStyle: boolean
  /** How long a connection may be silent. */
  readonly idleMs: number
  /** Larger files go in parts: 256 MiB unless said otherwise, and never more than the 5 GiB that S3 takes whole. */
  readonly wholeBytes?: number
}

/** Bucket and prefix of an address like `s3://bucket/some/prefix`; the prefix may be empty. Throws a sentence for anything else. */
export function parseAddress(address: string): { readonly bucket: string; readonly prefix: string } {
  const [, bucket, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(address) ?? []
  const prefix = path.replace(/\/+$/, '')
  const isPlain = prefix === '' || prefix.split('/').every((part) => /^[\w!'()*.-]+$/.test(part) && !/^\.+$/.test(part))
  if (bucket !== undefined && isPlain) return { bucket, prefix }
  throw new Error(`CARRICK_BLOBS is "${address}"; it must be s3://bucket or s3://bucket/prefix, or empty`)
}
