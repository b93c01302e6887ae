import { CarrickError } from '../../../domain/errors.ts'
import { httpStatus } from '../../../domain/outcome.ts'
import { smallText } from '../body.ts'
import { getValue, mostValueBytes, removeValue, setValue } from '../../storage/values.ts'
import { route, said, type Request, type Route } from './route.ts'

/** A key may hold slashes. */
const place = ({ params }: Request) => ({ store: params['store'] ?? '', name: params['name'] ?? '' })

/** The key-value store of the SDK's toolkit, whose host has a prefix of its own here. */
export const valueRoutes: readonly Route[] = [
  route('GET', '/kv/get/:store/:name{.+}', getValue, { read: place, show: (value) => ({ value }) }),

  route('PUT', '/kv/set/:store/:name{.+}', setValue, {
    read: async (request) => ({
      ...place(request),
      value: await smallText(request.body, mostValueBytes),
      ttlSeconds: said(request.query['ttl']),
    }),
    show: () => ({ success: true }),
  }),

  route('DELETE', '/kv/delete/:store/:name{.+}', removeValue, { read: place, show: () => ({ success: true }) }),
].map(withErrorField)

/** Its clients read why from the field `error`. */
function withErrorField(inner: Route): Route {
  const call: Route['call'] = async (...asked) => {
    try {
      return await inner.call(...asked)
    } catch (error) {
      if (!(error instanceof CarrickError)) throw error
      const { message, code, kind } = error
      return Response.json({ error: message, detail: message, error_type: code }, { status: httpStatus[kind] })
    }
  }
  return { ...inner, call }
}
