import type { Page } from 'playwright-core'

const mostTries = 10
/** That it was broken off, and that the page which says so came into the way of the next try. */
const brokenOff = /ERR_NETWORK_CHANGED|interrupted by another navigation to "chrome-error:/

/**
 * Opens a page. Chromium breaks off what it loads when the machine gets an address, as it does with the network of an
 * account's first container: whoever sits before it loads the page again.
 */
export async function visit(page: Page, url: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await page.goto(url)
      return
    } catch (error) {
      if (tries === mostTries || !brokenOff.test(String(error))) throw error
    }
  }
}
