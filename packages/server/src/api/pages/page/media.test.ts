import { expect, test } from 'vitest'
import { mediaOf } from './media.js'

test.each([
  [{ images: [{ url: 'https://h/x', content_type: 'image/png' }] }, ['image https://h/x']],
  [{ video: { url: 'http://h/a.mp4?x=1' } }, ['video http://h/a.mp4?x=1']],
  [{ audio_url: 'https://h/a.WAV' }, ['audio https://h/a.WAV']],
  ['data:image/png;base64,AA', ['image data:image/png;base64,AA']],
  [{ link: 'https://h/page' }, ['file https://h/page']],
  [{ url: 'javascript:alert(1)', content_type: 'image/png' }, []],
  [{ url: ' javascript:alert(1)' }, []],
  ['data:text/html,<script>alert(1)</script>', []],
  [{ text: 'see https://h/a.png' }, []],
  [null, []],
])('of %j one can look at %j', (result, seen) => {
  expect(mediaOf(result).map(({ url, kind }) => `${kind} ${url}`)).toEqual(seen)
})

test('a result of very many or very deep things is looked at no further than one can see', () => {
  expect(mediaOf(Array.from({ length: 100_000 }, () => 'https://h/a.png'))).toHaveLength(24)
  expect(mediaOf(JSON.parse('['.repeat(100) + '"https://h/a.png"' + ']'.repeat(100)))).toEqual([])
})
