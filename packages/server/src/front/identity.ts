/** A certificate with its private key, both PEM. */
export interface Identity {
  readonly certPem: string
  readonly keyPem: string
}
