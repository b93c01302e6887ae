/** What stands at the address that a deploy prints as the app's page, for anyone: how to call the app from a terminal. */
export function signpost(path: string): string {
  return [
    `This is a page of ${path.split('/').slice(0, 2).join('/')}. There is no dashboard here yet; a terminal does the same:`,
    '',
    `  curl "$CARRICK_URL/${path}" -H "Authorization: Key $FAL_KEY" -H "Content-Type: application/json" -d '{}'`,
    '  fal apps list',
    '  fal runners list',
    '  fal runners logs RUNNER',
    '',
  ].join('\n')
}
