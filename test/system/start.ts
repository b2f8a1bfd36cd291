import { join } from 'node:path'
import { agentConnected } from './machine.ts'
import { root, Server } from './server.ts'

// `npm start`: the system kept running on its own data directory, with a demo VM and a word on what to try.

const server = await Server.start(join(root, '.stillpoint'), ['--listen', '127.0.0.1:6443'])
const stop = new Promise<NodeJS.Signals>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal))
})
try {
  await server.kubectl(['apply', '-f', join(root, 'examples/virtual-machine.yaml')])
  process.stdout.write('booting the demo VM…\n')
  await agentConnected(server, 'my-vm')
  process.stdout.write(`
API         ${await server.kubectl(['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}'])}
kubeconfig  ${server.kubeconfig}
log         ${join(server.dataDir, 'server.log')}

In another terminal, from this directory:

  npx stillpoint console --data-dir ${server.dataDir}
  export KUBECONFIG=${server.kubeconfig}
  kubectl get vm,vmi,pvc
  kubectl create -f examples/snapshot.yaml
  kubectl wait vmsnapshot my-vmsnapshot --for condition=Ready
  kubectl describe vmsnapshot my-vmsnapshot
  npx stillpoint console --data-dir ${server.dataDir}     (a link to the web console)
  npx stillpoint space --data-dir ${server.dataDir}
  kubectl patch vm my-vm --type merge -p '{"spec":{"runStrategy":"Halted"}}'
  kubectl create -f examples/restore.yaml
  kubectl get vmrestore -w
  kubectl create -f examples/clone.yaml

Ctrl-C ends the server; the VM goes on running and is found again by the next 'npm start'.
'npx stillpoint down --data-dir ${server.dataDir}' stops both.
`)
  await stop
  await server.stop('SIGTERM')
} catch (error) {
  process.stderr.write(
    `${error instanceof Error ? error.message : String(error)}\nlog: ${join(server.dataDir, 'server.log')}\n`,
  )
  await server.stop('SIGTERM')
  process.exitCode = 1
}
