import { Option } from 'commander'

// What many commands take alike.

export const url = (): Option =>
  new Option('--url <address>', 'a server that you logged in to (default: CARRICK_URL)').conflicts('data')

export const data = (): Option =>
  new Option('--data <folder>', 'the data folder (default: CARRICK_DATA, else ~/.carrick)')

export const backend = (): Option => new Option('--backend <name>', 'where runners run').choices(['process', 'docker'])

export const json = (): Option => new Option('--json', 'as JSON')

/** A command that takes it is told by `json` too: see `program()`. */
export const output = (): Option =>
  new Option('--output <format>', 'the same, as `fal` has it').choices(['pretty', 'json'])
