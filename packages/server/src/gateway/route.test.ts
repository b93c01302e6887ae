import { describe, expect, test } from 'vitest'
import { routeOf, type Asked, type Route } from './route.ts'

const hosts = ['localhost', '127.0.0.1', '::1', 'gpu.example.com']
const id = '0190c9a5-0000-7000-8000-000000000001'

function route(method: string, url: string, more: Partial<Asked> = {}): Route {
  return routeOf({ method, url, host: 'localhost:8700', ...more }, hosts)
}

/** A route in one line, as the tables below have it. */
function brief(found: Route): string {
  if (found.kind === 'rest') return `rest ${found.url}`
  if (found.kind === 'refused') return `refused ${found.code}`
  const app = `${found.kind} ${found.alias.owner}/${found.alias.name}`
  return 'path' in found ? `${app} ${found.path}` : `${app} ${found.requestId}`
}

describe('on one host name', () => {
  test.each([
    ['POST', '/ann/hello', 'call ann/hello /'],
    ['POST', '/ann/hello/', 'call ann/hello /'],
    ['GET', '/ann/hello/a//b%2Fc/?x=1&y', 'call ann/hello /a//b%2Fc/?x=1&y'],
    ['POST', '/ann/hello?x=1', 'call ann/hello /?x=1'],
    ['DELETE', '/ann/hello--staging/thing', 'call ann/hello--staging /thing'],
    ['OPTIONS', '/ann/hello', 'call ann/hello /'],
    ['GET', `/ann/hello/requests/${id}`, `call ann/hello /requests/${id}`],
    ['POST', '/workflows/ann/hello/go', 'call ann/workflows/hello /go'],
    ['POST', '/workflows/ann/hello', 'call ann/workflows/hello /'],
    ['GET', '/workflows/ann/hello', 'rest /workflows/ann/hello'],
    ['PATCH', '/workflows/ann/hello', 'rest /workflows/ann/hello'],
    ['DELETE', '/workflows/ann/hello', 'rest /workflows/ann/hello'],
    ['GET', '/workflows/?page=1', 'rest /workflows/?page=1'],
    ['GET', '/workflows/ann', 'rest /workflows/ann'],
    ['POST', '/comfy/ann/hello', 'refused unimplemented'],
    ['POST', '/comfy/ann/hello/go', 'refused unimplemented'],
    ['GET', '/comfy/', 'rest /comfy/'],
    ['POST', '/comfy/', 'rest /comfy/'],
    ['DELETE', '/comfy/ann/hello', 'rest /comfy/ann/hello'],
    ['GET', '/', 'rest /'],
    ['GET', '/ann', 'rest /ann'],
    ['GET', '/ann/', 'rest /ann/'],
    ['GET', '/healthz', 'rest /healthz'],
    ['GET', '/users/current', 'rest /users/current'],
    ['POST', '/storage/upload/initiate?storage_type=x', 'rest /storage/upload/initiate?storage_type=x'],
    ['GET', '/.well-known/jwks.json', 'rest /.well-known/jwks.json'],
    ['GET', 'http://localhost:8700/ann/hello/x?y', 'call ann/hello /x?y'],
    ['OPTIONS', '*', 'refused bad_request'],
    ['GET', '/ann/hello/\u{1f600}', 'refused bad_request'],
    ['GET', '/%E0%A4%A/hello', 'refused route_not_found'],
    ['POST', '/ws/ann/hello/x', 'session ann/hello /x'],
  ])('%s %s is %s', (method, url, expected) => expect(brief(route(method, url))).toBe(expected))
})

describe('in the queue', () => {
  test.each([
    ['POST', '/ann/hello', 'submit ann/hello /'],
    ['POST', '/ann/hello/', 'submit ann/hello /'],
    ['POST', '/ann/hello/sub/path?x=1', 'submit ann/hello /sub/path?x=1'],
    ['POST', '/workflows/ann/hello', 'submit ann/workflows/hello /'],
    ['GET', `/ann/hello/requests/${id}`, `result ann/hello ${id}`],
    ['GET', `/ann/hello/requests/${id}/`, `result ann/hello ${id}`],
    ['HEAD', `/ann/hello/requests/${id}`, `result ann/hello ${id}`],
    ['GET', `/ann/hello/requests/${id}/response`, `result ann/hello ${id}`],
    ['GET', `/ann/hello/requests/${id}/status?logs=1`, `status ann/hello ${id}`],
    ['GET', `/ann/hello/requests/${id}/status/`, `status ann/hello ${id}`],
    ['GET', `/ann/hello/requests/${id}/status/stream?logs=1`, `status_stream ann/hello ${id}`],
    ['PUT', `/ann/hello/requests/${id}/cancel`, `cancel ann/hello ${id}`],
    ['PUT', `/ann/hello/requests/${id}/cancel/`, `cancel ann/hello ${id}`],
    ['POST', `/ann/hello/requests/${id}/cancel`, `cancel ann/hello ${id}`],
    ['GET', `/ann/hello/sub/path/requests/${id}/status`, `status ann/hello ${id}`],
    ['GET', `/workflows/ann/hello/requests/${id}/status`, `status ann/workflows/hello ${id}`],
    ['GET', '/ann/hello/requests/made-up/status', 'status ann/hello made-up'],
    ['GET', `/ann/hello/requests/1/requests/${id}`, `result ann/hello ${id}`],
    ['POST', '/ann/hello/requests/latest', 'submit ann/hello /requests/latest'],
    ['POST', `/ann/hello/requests/${id}`, `submit ann/hello /requests/${id}`],
    ['GET', `/ann/hello/requests/${id}?back=/requests/1/status`, `result ann/hello ${id}`],
    ['POST', `/ann/hello?back=/requests/${id}/cancel`, `submit ann/hello /?back=/requests/${id}/cancel`],
    ['PUT', `/ann/hello/requests/${id}/status`, 'refused route_not_found'],
    ['DELETE', `/ann/hello/requests/${id}`, 'refused route_not_found'],
    ['GET', '/ann/hello/requests', 'rest /applications/ann/hello/requests'],
    ['GET', '/ann/hello/requests/?limit=2', 'rest /applications/ann/hello/requests?limit=2'],
    ['GET', '/ann/hello--staging/requests', 'rest /applications/ann/hello--staging/requests'],
    ['GET', '/a%2fb/hello/requests', 'rest /applications/a%2Fb/hello/requests'],
    ['POST', '/ann/hello/requests', 'submit ann/hello /requests'],
    ['GET', '/ann/hello/sub/requests', 'refused route_not_found'],
    ['GET', '/ann/hello', 'refused route_not_found'],
    ['POST', '/ann', 'refused route_not_found'],
    ['POST', '/', 'refused route_not_found'],
  ])('%s %s is %s', (method, url, expected) => {
    expect(brief(route(method, `/queue${url}`))).toBe(expected)
    expect(brief(route(method, url, { host: 'queue.localhost:8700' }))).toBe(expected)
    expect(brief(route(method, url, { targetUrl: `https://queue.fal.run${url}` }))).toBe(expected)
  })
})

describe('by host name', () => {
  test.each([
    ['queue.gpu.example.com', 'submit ann/hello /'],
    ['QUEUE.Localhost:80', 'submit ann/hello /'],
    ['ws.localhost:8700', 'session ann/hello /'],
    ['rest.localhost', 'rest /ann/hello'],
    ['api.localhost', 'rest /ann/hello'],
    ['[::1]:8700', 'call ann/hello /'],
    ['gpu.example.com.', 'call ann/hello /'],
    ['queue.elsewhere.example.com', 'call ann/hello /'],
    ['not a host', 'call ann/hello /'],
    ['', 'call ann/hello /'],
  ])('%s: %s', (host, expected) => expect(brief(route('POST', '/ann/hello', { host }))).toBe(expected))
})

test.each([
  ['queue.fal.run', 'submit ann/hello /'],
  ['kv.fal.media', 'rest /kv/ann/hello'],
  ['rest.fal.ai', 'call ann/hello /'],
  ['fal.run:443', 'call ann/hello /'],
])('a host that clients have built in, taken over as a name of this server (%s): %s', (host, expected) => {
  const asked = { method: 'POST', url: '/ann/hello', host }
  expect(brief(routeOf(asked, [host.replace(/:.*/, '')]))).toBe(expected)
  expect(brief(routeOf(asked, ['localhost']))).toBe('call ann/hello /')
})

describe('by the target URL of a proxied client', () => {
  test.each([
    ['https://fal.run/ann/hello/x?y=1', 'call ann/hello /x?y=1'],
    ['https://falrun.com/ann/hello', 'call ann/hello /'],
    ['https://queue.falrun.com/ann/hello', 'submit ann/hello /'],
    ['https://ws.fal.run/ann/hello', 'session ann/hello /'],
    ['https://rest.fal.ai/tokens/', 'rest /tokens/'],
    ['https://rest.fal.ai/.well-known/jwks.json', 'rest /.well-known/jwks.json'],
    ['https://rest.alpha.fal.ai/.well-known/jwks.json', 'rest /.well-known/jwks.json'],
    ['https://rest.alpha.fal.ai/storage/upload/initiate?a=b', 'rest /storage/upload/initiate?a=b'],
    ['https://v3.fal.media/files/upload', 'rest /files/upload'],
    ['https://kv.fal.media/get/a/b', 'rest /kv/get/a/b'],
    ['https://wma.fal.run/session', 'refused unimplemented'],
    ['https://example.com/ann/hello', 'refused bad_request'],
    ['https://fal.run.example.com/ann/hello', 'refused bad_request'],
    ['https://fal.run@example.com/ann/hello', 'refused bad_request'],
    ['https://fal.run:8443/ann/hello', 'refused bad_request'],
    ['http://169.254.169.254/latest', 'refused bad_request'],
    ['file:///etc/passwd', 'refused bad_request'],
    ['constructor', 'refused bad_request'],
    ['https://constructor/x/y', 'refused bad_request'],
    ['', 'refused bad_request'],
  ])('%s is %s', (targetUrl, expected) => expect(brief(route('POST', '/anything', { targetUrl }))).toBe(expected))

  test.each(['http://localhost:8700/x/y', 'https://queue.localhost/x/y', 'http://127.0.0.1:1/x/y'])(
    'one that names this server (%s) is ignored',
    (targetUrl) => expect(brief(route('POST', '/ann/hello', { targetUrl }))).toBe('call ann/hello /'),
  )
})

test.each([
  ['GET', '/ann/hello/realtime?fal_jwt_token=t&x=1', { kind: 'call', path: '/realtime?x=1', token: 't' }],
  ['GET', '/ws/ann/hello/go?fal_jwt_token=t', { kind: 'session', path: '/go', token: 't' }],
  ['POST', '/queue/ann/hello?fal_jwt_token=t', { kind: 'submit', path: '/', token: 't' }],
  ['GET', `/queue/ann/hello/requests/${id}/status/stream?fal_jwt_token=t`, { kind: 'status_stream', token: 't' }],
])('no app sees the token in %s %s', (method, url, expected) => {
  expect(route(method, url)).toMatchObject(expected)
})
