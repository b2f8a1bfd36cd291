import '@patternfly/react-core/dist/styles/base.css'
import './shell/console.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { RouterProvider } from 'react-router'
import { router } from './shell/routes.tsx'
import { startTheme } from './shell/theme.ts'

startTheme()
const root = document.getElementById('root')
if (!root) throw new Error('the page has no root element')
createRoot(root).render(
  <StrictMode>
    <RouterProvider router={router} />
  </StrictMode>,
)
