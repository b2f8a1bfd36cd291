import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig, type ProxyOptions } from 'vite'

// `npm run build` makes the bundle that the server delivers. `npm run dev` serves the sources, in front of the server
// named by STILLPOINT_CONSOLE (its address); sign in with a token.

const server = process.env.STILLPOINT_CONSOLE
const ca = process.env.STILLPOINT_CA
const target: ProxyOptions = {
  target: server ?? 'https://127.0.0.1:6443',
  changeOrigin: true,
  ws: true,
  ...(ca === undefined ? { secure: false } : { ssl: { ca: readFileSync(ca) } }),
}

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    assetsInlineLimit: 0,
    // One request fetches what a page needs; only what is heavy and rarely opened stands apart.
    chunkSizeWarningLimit: 2_000,
    // Before any schema is made: each would try to compile code, which the page's policy forbids and the browser reports.
    rolldownOptions: { output: { intro: 'globalThis.__zod_globalConfig ??= { jitless: true };' } },
  },
  server: { proxy: { '/api/kubernetes': target, '/auth': target } },
})
