import { defineConfig, type OxlintOverride } from 'oxlint'

/** What each folder of the server may import besides itself: the map of ARCHITECTURE.md. */
const left = ['kit', 'domain']
const meeting = [...left, 'store', 'blobs', 'logs', 'backends', 'home', 'calls', 'access', 'files']
const mayImport: Record<string, readonly string[]> = {
  kit: [],
  front: ['kit'],
  domain: ['kit'],
  store: left,
  blobs: left,
  logs: left,
  backends: left,
  files: left,
  calls: left,
  home: [...left, 'store'],
  access: [...left, 'store'],
  api: meeting,
  builder: meeting,
  gateway: meeting,
  dispatcher: meeting,
  scheduler: meeting,
  workflows: meeting,
  webhooks: meeting,
  registry: [...left, 'store', 'blobs', 'access'],
}
const folders = [...Object.keys(mayImport), 'testing', 'runtime', 'roles']

const directions = Object.entries(mayImport).map(([folder, allowed]): OxlintOverride => ({
  files: [`packages/server/src/${folder}/**`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: [
              '**/main.ts',
              ...folders
                .filter((other) => other !== folder && !allowed.includes(other))
                .map((other) => `**/${other}/**`),
            ],
            message: `${folder}/ may import only ${['itself', ...allowed].join(', ')} (ARCHITECTURE.md, the map).`,
          },
        ],
      },
    ],
  },
}))

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc', 'promise', 'node'],
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['packages/protocol/src/gen/**', '.cache/**'],
  rules: {
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-unsafe-type-assertion': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'no-unmodified-loop-condition': 'off',
    'no-underscore-dangle': 'off', // a `using` needs a name, also where only its end matters
    // About windows of a browser; ours are threads.
    'unicorn/require-post-message-target-origin': 'off',
  },
  overrides: [
    ...directions,
    {
      files: ['**/*.test.ts', '**/conformance.ts', '**/conformance/**', 'packages/server/src/testing/**'],
      rules: { 'no-restricted-imports': 'off' },
    },
  ],
})
