# Sourced by scripts: the Debian 12 packages that building needs, and how to get them.

lockstep_packages=(
    g++ cmake ninja-build ccache
    libboost1.81-dev libssl-dev libxxhash-dev libcereal-dev librange-v3-dev
    libcli11-dev libspdlog-dev libfmt-dev catch2 libbenchmark-dev patch
    chromium   # opens the page that shows a trace (tests/sim/view)
)

# ensure_packages PACKAGE...: installs what is missing, where the user is root or can use sudo without
# being asked; otherwise says which command to run, and fails. Does nothing when nothing is missing.
ensure_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            echo "Packages are missing. Install them with this command, then start again:" >&2
            echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
            return 1
        fi
    fi
    echo "Installing: ${missing[*]}"
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"
}
