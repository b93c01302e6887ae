import { describe, expect, test } from 'vitest'
import { buildVariables } from './variables.ts'

const variables = (source: Record<string, string>) => buildVariables(source, '/cache/uv')

describe('the environment of a build', () => {
  test('holds nothing of the server but where packages come from and whom to trust', () => {
    const built = variables({
      PATH: '/usr/bin',
      HTTPS_PROXY: 'http://proxy.example.com',
      UV_INDEX_INHOUSE_PASSWORD: 'for the index',
      FAL_KEY: 'secret',
      AWS_SECRET_ACCESS_KEY: 'secret',
      PYTHONDONTWRITEBYTECODE: '1',
      UV_PYTHON: 'another',
    })
    expect(built).toEqual({
      PATH: '/usr/bin',
      HTTPS_PROXY: 'http://proxy.example.com',
      UV_INDEX_INHOUSE_PASSWORD: 'for the index',
      UV_CACHE_DIR: '/cache/uv',
      UV_PYTHON_DOWNLOADS: 'never',
      UV_SYSTEM_CERTS: '1',
      UV_NO_PROGRESS: '1',
      NO_COLOR: '1',
    })
  })

  test('tells uv what pip is told about indexes', () => {
    expect(
      variables({
        PIP_INDEX_URL: 'https://a.example.com',
        PIP_EXTRA_INDEX_URL: 'https://b.example.com https://c.example.com',
        PIP_FIND_LINKS: '/wheels  https://d.example.com',
        PIP_TRUSTED_HOST: 'a.example.com',
      }),
    ).toMatchObject({
      UV_DEFAULT_INDEX: 'https://a.example.com',
      UV_EXTRA_INDEX_URL: 'https://b.example.com https://c.example.com',
      UV_FIND_LINKS: '/wheels,https://d.example.com',
      UV_INSECURE_HOST: 'a.example.com',
    })
  })

  test("lets uv's own settings win over pip's", () => {
    const built = variables({
      PIP_INDEX_URL: 'https://pip.example.com',
      PIP_EXTRA_INDEX_URL: 'https://pip.example.com/extra',
      UV_INDEX_URL: 'https://uv.example.com',
      UV_INDEX: 'https://uv.example.com/extra',
    })
    expect(built).toMatchObject({
      UV_DEFAULT_INDEX: 'https://uv.example.com',
      UV_INDEX: 'https://uv.example.com/extra',
    })
    expect(built).not.toHaveProperty('UV_EXTRA_INDEX_URL')
    expect(built).not.toHaveProperty('UV_INDEX_URL')
  })

  test.each([
    [{ SSL_CERT_FILE: '/one.pem', PIP_CERT: '/two.pem' }, '/one.pem'],
    [{ PIP_CERT: '/two.pem' }, '/two.pem'],
    [{ REQUESTS_CA_BUNDLE: '/three.pem' }, '/three.pem'],
  ])('trusts the bundle of %j, else what the machine trusts', (source, bundle) => {
    expect(variables(source)).toMatchObject({ SSL_CERT_FILE: bundle })
    expect(variables(source)).not.toHaveProperty('UV_SYSTEM_CERTS')
  })
})
