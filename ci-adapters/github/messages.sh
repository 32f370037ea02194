# shellcheck shell=bash
# What a script of the action tells the log. To be sourced.

# Ends with an annotation. The text may hold anything: it is one value to the runner, escaped as its own commands are.
fail() {
  local text=$1
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  printf '::error title=rebake::%s\n' "$text"
  exit 1
}
