import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createContextValues } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { IsolateController } from '@carrick/protocol/gen/controller_pb.js'
import { unauthenticated } from '../../access/authorize.ts'
import type { Connection } from '../../domain/addresses.ts'
import { authorityOf, isSecure } from '../../kit/secure.ts'
import type { Deps } from '../deps.ts'
import { codes } from './grpc-errors.ts'
import { implementation } from './grpc-methods.ts'
import { callerOf, connectionKey } from './grpc-serve.ts'

export interface GrpcOptions {
  /** Largest message, in bytes: a deploy carries the app in one. */
  readonly messageLimit: number
}

export type GrpcHandler = (request: Http2ServerRequest, response: Http2ServerResponse) => void

/** The control plane as the stock `fal` command speaks to it: a listener for an HTTP/2 server. */
export function createGrpcHandler(deps: Deps, { messageLimit }: GrpcOptions): GrpcHandler {
  const serve = connectNodeAdapter({
    routes: (router) => router.service(IsolateController, implementation(deps)),
    connect: false,
    grpcWeb: false,
    readMaxBytes: messageLimit,
    compressMinBytes: 1024 * 1024, // below, it takes longer than it saves on a local network
    contextValues: (request) => createContextValues().set(connectionKey, connectionOf(request)),
  })
  return (request, response) => {
    if (callerOf(deps, metadataOf(request)) !== undefined) serve(request, response)
    else refuseStranger(request, response)
  }
}

/** Nobody has a message of theirs kept, however large, before it is known who they are. It is let through: some clients hear no answer while they send. */
function refuseStranger(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const { message, kind } = unauthenticated()
  const status = { 'grpc-status': String(codes[kind]), 'grpc-message': encodeURIComponent(message) }
  request.resume()
  // Headers and trailers in one frame that ends the stream: stock clients take nothing else for an answer here.
  response.stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true })
}

function metadataOf({ headers }: Http2ServerRequest) {
  return { get: (name: string) => headers[name]?.toString() ?? null }
}

function connectionOf(request: IncomingMessage | Http2ServerRequest): Connection {
  return { secure: isSecure(request), authority: authorityOf(request) }
}
