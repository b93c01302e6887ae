/** Ids are UUID text at run time; the types keep them apart. */
declare const kind: unique symbol
type Id<Kind extends string> = string & { readonly [kind]?: Kind }

export type AccountId = Id<'account'>
export type AppId = Id<'app'>
export type RevisionId = Id<'revision'>
export type RunnerId = Id<'runner'>
export type RequestId = Id<'request'>
export type KeyId = Id<'key'>

/** SHA-256 of an environment's definition, hex: the name of its folder. */
export type EnvironmentId = Id<'environment'>

/** SHA-256 of a stored blob, hex. */
export type BlobKey = Id<'blob'>

/** The id of an upload: 192 bits of chance, base64url. */
export type ObjectId = Id<'object'>

/** A request's place in its app's order, given by the store. */
export type Seq = number
