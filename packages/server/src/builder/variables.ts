export type Variables = Readonly<Record<string, string | undefined>>

/** All that a build sees of the server's environment. */
const passed = `
  PATH HOME TMPDIR LANG NETRC PYENV_ROOT
  SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT
  UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_NO_INDEX UV_OFFLINE
  UV_INDEX_STRATEGY UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_HTTP_TIMEOUT UV_CONFIG_FILE`

/** Credentials of a named index. */
const indexCredential = /^UV_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)$/

/**
 * The variables of a build: where packages come from and whom to trust, pip's words for it translated into uv's, and
 * nothing else of the server's environment.
 */
export function buildVariables(source: Variables, cacheFolder: string): Record<string, string> {
  const named = Object.keys(source).filter((name) => indexCredential.test(name))
  return withValues({
    ...Object.fromEntries([...words(passed), ...named].map((name) => [name, source[name]])),
    ...uvSettings(source),
    ...trust(source),
    UV_CACHE_DIR: cacheFolder,
    UV_PYTHON_DOWNLOADS: 'never',
    UV_NO_PROGRESS: '1',
    NO_COLOR: '1',
  })
}

/** uv does not read pip's settings. Its own come first. */
function uvSettings(source: Variables): Variables {
  const hasUvIndexes = source['UV_INDEX'] !== undefined || source['UV_EXTRA_INDEX_URL'] !== undefined
  return {
    UV_INDEX_URL: undefined,
    UV_DEFAULT_INDEX: source['UV_DEFAULT_INDEX'] ?? source['UV_INDEX_URL'] ?? source['PIP_INDEX_URL'],
    UV_EXTRA_INDEX_URL: source['UV_EXTRA_INDEX_URL'] ?? (hasUvIndexes ? undefined : source['PIP_EXTRA_INDEX_URL']),
    UV_FIND_LINKS: source['UV_FIND_LINKS'] ?? words(source['PIP_FIND_LINKS'] ?? '').join(','),
    UV_NO_INDEX: source['UV_NO_INDEX'] ?? source['PIP_NO_INDEX'],
    UV_INSECURE_HOST: source['UV_INSECURE_HOST'] ?? source['PIP_TRUSTED_HOST'],
  }
}

/** Without a bundle of its own, uv is told to trust what the machine trusts, not only what it brought along. */
function trust(source: Variables): Variables {
  const bundle = source['SSL_CERT_FILE'] ?? source['PIP_CERT'] ?? source['REQUESTS_CA_BUNDLE']
  return bundle === undefined ? { UV_SYSTEM_CERTS: '1' } : { SSL_CERT_FILE: bundle }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

/** A variable that is empty counts as not there, as the tools read it. */
function withValues(variables: Variables): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => (value ? [[name, value]] : [])))
}
