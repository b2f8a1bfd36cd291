import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { roles } from './cli/roles.ts'
import { describeError } from './controller/describe-error.ts'

// The one binary. Each command is loaded when it is called, so that none pays for the others.

// Compiled code is kept for the next start, in a folder of this user alone: what lies there is executed.
enableCompileCache(join(homedir(), '.cache/stillpoint/compiled'))

const list = (text: string): string[] => text.split(',').filter((word) => word !== '')
const among =
  (allowed: readonly string[]) =>
  (text: string): string[] => {
    const names = list(text)
    const wrong = names.find((name) => !allowed.includes(name))
    if (wrong !== undefined) throw new InvalidArgumentError(`'${wrong}' is not one of ${allowed.join(', ')}.`)
    return names
  }

const program = new Command('stillpoint')
  .description('Point-in-time snapshots and restores of virtual machines, spoken in the Kubernetes API.')
  .addOption(
    new Option('--log-level <level>', 'what is logged to standard error, as JSON lines')
      .choices(['debug', 'info', 'warn', 'error', 'silent'])
      .default('warn'),
  )
  .showHelpAfterError()

program
  .command('up')
  .description('run everything on this machine until SIGTERM; virtual machines go on running')
  .option('--data-dir <dir>', 'where all state is kept (default: $STILLPOINT_DATA_DIR or ~/.local/share/stillpoint)')
  .option('--listen <address:port>', 'where the API listens; port 0 picks a free one', '127.0.0.1:6443')
  .option('--roles <names>', `comma separated, of ${roles.join(', ')}`, among(roles), [...roles])
  .option('--import-dir <dir>', 'a directory DataVolumes may import file:// images from; repeatable', collect, [])
  .addOption(
    new Option('--accel <kind>', 'hypervisor acceleration; auto uses kvm only where it is proven to work')
      .choices(['auto', 'kvm', 'tcg'])
      .default('auto'),
  )
  .option('--console-host <name>', 'a further name the web console is reached by; repeatable', collect, [])
  .action(async (options) => (await import('./cli/up.ts')).up({ ...options, ...program.opts() }))

program
  .command('down')
  .description('shut the virtual machines down in order, then the server')
  .option('--data-dir <dir>', 'as given to up')
  .option('--timeout <seconds>', 'how long to wait before giving up', '180')
  .action(async (options) => (await import('./cli/down.ts')).down({ ...options, ...program.opts() }))

program
  .command('kubeconfig')
  .description('make a user: print a kubeconfig with a certificate that names them; what they may do, roles say')
  .requiredOption('--user <name>', 'who they are')
  .option('--group <name>', 'a group they are in; repeatable', collect, [])
  .option('--expires <duration>', 'how long it is good; it cannot be taken back before', '8760h')
  .option('--namespace <name>', 'where kubectl looks when nothing else is said', 'default')
  .option('--server <url>', 'how they reach the server (default: as in the kubeconfig of the data directory)')
  .option('--data-dir <dir>', 'as given to up')
  .action(async (options) => (await import('./cli/kubeconfig.ts')).userKubeconfig(options))

program
  .command('console')
  .description('print a one-time link to the web console of this machine’s server, or serve it before another API')
  .option('--data-dir <dir>', 'as given to up')
  .option('--no-open', 'print the address only, open no browser')
  .option('--kubeconfig <file>', 'serve the console before the API this file names, until SIGTERM')
  .option(
    '--listen <address:port>',
    'with --kubeconfig: where; plain HTTP on loopback addresses only',
    '127.0.0.1:9000',
  )
  .option('--tls-cert <file>', 'with --kubeconfig: certificate to serve HTTPS with, PEM')
  .option('--tls-key <file>', 'its key, PEM')
  .option('--console-host <name>', 'with --kubeconfig: a further name it is reached by; repeatable', collect, [])
  .option('--use-kubeconfig-identity', 'with --kubeconfig: print a one-time link for who the file is of')
  .action(async (options) =>
    options.kubeconfig === undefined
      ? (await import('./cli/console.ts')).consoleLink(options)
      : (await import('./cli/console-proxy.ts')).consoleProxy({ ...options, ...program.opts() }),
  )

program
  .command('controllers')
  .description('run controllers against any Kubernetes API')
  .requiredOption('--kubeconfig <file>', 'how to reach the API')
  .option(
    '--controllers <names>',
    'comma separated, of snapshot, restore, clone, machine, volume',
    among(['snapshot', 'restore', 'clone', 'machine', 'volume']),
    ['snapshot', 'restore', 'clone'],
  )
  .option('--data-dir <dir>', 'working state of machine and volume (default as for up)')
  .option('--csi <endpoint>', 'unix:// address of a CSI driver for machine and volume; repeatable', collect, [])
  .addOption(
    new Option('--leader-elect <bool>', 'of several processes one runs snapshot and restore, the others wait')
      .choices(['true', 'false'])
      .default('true'),
  )
  .option('--leader-elect-namespace <name>', 'where the lease is kept', 'kube-system')
  .option('--leader-elect-resource-name <name>', 'name of the lease', 'stillpoint-controllers')
  .option('--webhook-listen <address:port>', 'answer admission reviews there, over HTTPS')
  .option('--webhook-url <url>', 'have the API server ask there: write the webhook configurations')
  .option('--webhook-service <namespace/name>', 'the same, through a Service')
  .option('--webhook-cert <file>', 'certificate of the webhook, PEM; made at the start when absent')
  .option('--webhook-key <file>', 'its key, PEM')
  .option('--webhook-ca <file>', 'the authority that signed it, for the webhook configurations')
  .option('--metrics-listen <address:port>', 'where /metrics is served over plain HTTP (default: nowhere)')
  .action(async (options) => (await import('./cli/controllers.ts')).controllers({ ...options, ...program.opts() }))

program
  .command('csi-driver')
  .description('run the layered storage driver alone, as a plain CSI server')
  .requiredOption('--endpoint <address>', 'unix:///path/to.sock')
  .requiredOption('--data-dir <dir>', 'where the layers are kept')
  .action(async (options) => (await import('./cli/csi-driver.ts')).csiDriver({ ...options, ...program.opts() }))

program
  .command('space')
  .description('what the store of a running server holds: unique and shared bytes of each volume and snapshot')
  .option('--data-dir <dir>', 'as given to up')
  .addOption(new Option('-o, --output <format>').choices(['table', 'json']).default('table'))
  .action(async (options) => (await import('./cli/space.ts')).space(options))

function collect(value: string, previous: string[]): string[] {
  return [...previous, value]
}

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`stillpoint: ${describeError(error)}\n`)
  process.exitCode = 1
}
