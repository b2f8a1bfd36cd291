// Light, dark, or as the system says.

export type Theme = 'system' | 'light' | 'dark'
const key = 'stillpoint.theme'
const darkClass = 'pf-v6-theme-dark'
const systemDark = matchMedia('(prefers-color-scheme: dark)')

export function storedTheme(): Theme {
  const kept = localStorage.getItem(key)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

function apply(): void {
  const theme = storedTheme()
  const dark = theme === 'dark' || (theme === 'system' && systemDark.matches)
  document.documentElement.classList.toggle(darkClass, dark)
  document.documentElement.style.colorScheme = dark ? 'dark' : 'light'
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(key, theme)
  apply()
}

/** Follows the system until told otherwise. */
export function startTheme(): void {
  systemDark.addEventListener('change', apply)
  apply()
}
