import { existsSync } from 'node:fs'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Carrick } from './carrick.ts'
import { visit } from './visit.ts'

/** What a page shows it shows at once, but on a machine that is busy with others. */
const patienceMs = 120_000

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path))

/** The addresses that a deploy prints, opened as a person opens them. */
describe('what fal deploy prints', () => {
  let carrick: Carrick
  let printed: string
  beforeAll(async () => {
    carrick = await Carrick.start()
    const args = ['test/e2e/apps/painter.py::Painter', '--app-name', 'painter', '--message', 'The first <i>one</i>']
    const { code, stdout, stderr } = await carrick.fal('deploy', ...args)
    expect(code, stderr).toBe(0)
    printed = stdout
  })
  afterAll(() => carrick[Symbol.asyncDispose]())

  const addresses = () => [...new Set(printed.match(/https:\/\/\S+/g))]

  test('leads to pages that exist, as far as a browser opens it', async () => {
    const pages = addresses().filter((address) => address.includes('/dashboard/'))
    expect(pages.map((address) => URL.parse(address)).map((url) => `${url?.pathname}${url?.hash}`)).toEqual([
      '/dashboard/apps/tester/painter/',
      '/dashboard/apps/tester/painter/fail',
      '/dashboard/apps/tester/painter/health',
      '/dashboard/apps/tester/painter#logs',
    ])
    for (const page of pages) {
      const answer = await carrick.ask(page.replace(carrick.url, ''), { key: null })
      expect(answer.status).toBe(200)
      const text = await answer.text()
      expect(text).toContain('tester/painter')
      expect(text).not.toMatch(/The first|Paints|private/)
    }
  })

  const place = program === undefined ? 'in a browser, if there were a Chromium on this machine' : 'in a browser'
  describe.skipIf(program === undefined)(place, () => {
    let browser: Browser
    let page: Page
    const complaints: string[] = []
    beforeAll(async () => {
      const args = [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
      ]
      browser = await chromium.launch({ executablePath: program ?? '', args })
      page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
      page.setDefaultTimeout(patienceMs)
      page.on('pageerror', (error) => complaints.push(error.message))
      page.on('dialog', (dialog) => complaints.push(`a dialog: ${dialog.message()}`))
      page.on(
        'console',
        (said) =>
          said.type() === 'error' && !said.text().startsWith('Failed to load resource') && complaints.push(said.text()),
      )
    })
    afterAll(() => browser.close())

    const picture = async (name: string, width: number) => {
      await page.setViewportSize({ width, height: 900 })
      const folder = process.env['CARRICK_SCREENSHOTS']
      if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}-${width}.png`, fullPage: true })
    }
    const signIn = async () => {
      await page.fill('#key', carrick.variables['FAL_KEY'] ?? '')
      await page.click('text=Use it')
    }

    test('says nothing of a private app before a key was typed, and says when one is wrong', async () => {
      await visit(page, addresses().find((address) => address.endsWith('/painter/')) ?? '')
      await page.waitForSelector('text=Type a key')
      expect(await page.textContent('body')).not.toMatch(/The first|Paints/)
      await picture('stranger', 1200)
      await page.fill('#key', 'nobody:wrong')
      await page.click('text=Use it')
      await page.waitForSelector('text=not found, or this key may not see it')
    })

    test('calls the app by the form, and shows its log, its picture and its words as words', async () => {
      await signIn()
      await page.waitForSelector('text=The first <i>one</i>')
      await page.fill('#field-prompt', "a meadow's edge")
      await page.selectOption('#field-colour', { label: 'red' })
      expect(await page.textContent('[data-input=python]')).toContain('"prompt": "a meadow\'s edge", "colour": "red"')
      await page.click('#run')
      await page.waitForSelector('text=HTTP 200')
      await page.waitForSelector('#result img')
      expect(await page.textContent('#result')).toContain("a meadow's edge <b>by</b> nobody")
      await page.waitForSelector("#call-log >> text=painting a meadow's edge <script>alert(1)</script>")
      await page.waitForSelector("#log >> text=painting a meadow's edge <script>alert(1)</script>")
      expect(await page.evaluate(`document.querySelector('#result img').naturalWidth`)).toBe(64)
      for (const width of [1200, 390]) await picture('called', width)
      const overflow = await page.evaluate(
        `document.documentElement.scrollWidth - document.documentElement.clientWidth`,
      )
      expect(overflow).toBe(0)
    })

    test('calls it directly, and the example is a command that does the same', async () => {
      await page.selectOption('#way', 'direct')
      await page.fill('#field-signature', 'me')
      await page.click('#run')
      await page.waitForSelector('#result >> text=by</b> me')
      const example = (await page.textContent('.code pre')) ?? ''
      const answer = await carrick.shell(example)
      expect(JSON.parse(answer.stdout)).toMatchObject({ title: "a meadow's edge <b>by</b> me" })
    })

    test('shows what failed and why, at the address of another endpoint, with the key of this tab', async () => {
      await page.click('#endpoints >> text=/fail')
      await page.waitForSelector('h2 >> text=POST /fail')
      await page.click('#run')
      await page.waitForSelector('#outcome.bad')
      await page.waitForSelector('text=HTTP 500')
      await page.waitForSelector('#call-log >> text=ValueError: it was asked to fail')
    })

    test('gives the key away to no page that an app answers with', async () => {
      await carrick.deploy('painter.py::Mallory', 'mallory', '--auth', 'public')
      const other = await page.context().newPage()
      other.setDefaultTimeout(patienceMs)
      await visit(other, `${carrick.url}/dashboard/apps/tester/mallory`)
      await other.waitForSelector('h2 >> text=POST /') // a public app shows its endpoints to everyone
      await other.evaluate(`sessionStorage.setItem('carrick-key', 'a key')`)
      await other.goto('about:blank')
      await other.setContent(`<form method="post" action="${carrick.url}/tester/mallory"><button>go</button></form>`)
      await other.click('button')
      await other.waitForFunction(`document.title !== ''`)
      expect(await other.title()).toBe('denied')
      await other.close()
    })

    test('forgets the key when told to', async () => {
      await page.click('text=Forget it')
      await page.waitForSelector('text=Type a key')
      expect(await page.evaluate(`sessionStorage.length`)).toBe(0)
      expect(await page.isVisible('#call')).toBe(false)
    })

    test('has run nothing that an app or its author wrote', () => expect(complaints).toEqual([]))
  })
})
