"""Applies settings to an unedited job and records what each training step saw.

Reading order: `entry` (how we get in), `core` (what every part shares), `hooks`
(patching a library once the job imports it), `frames` (whose code is calling),
`record` (the file), `digest`, then the parts: `settings/`, `steps`, `loaders`,
`outputs`, `seeds`, `trace`, `drill`.

House rules: standard library only; nothing of ours may raise, print, warn, draw
a random number or open a socket in the job; what a job does not import, we do
not import.
"""
