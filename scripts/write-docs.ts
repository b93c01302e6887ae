/** Writes the pages of docs/reference that come from the code: `npm run docs`. */
import { writeFile } from 'node:fs/promises'
import { settingsPage } from '@carrick/server/settings-page'

await writeFile(new URL('../docs/reference/settings.md', import.meta.url), settingsPage())
