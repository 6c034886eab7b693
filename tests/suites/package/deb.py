#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The packages: built, looked at by lintian and rpmlint, installed in clean systems.

deb.py [bookworm] [trixie]

`make deb` and `make rpm` run in a Debian 12 that has what they need; what lintian and
rpmlint say of the packages is checked at each run. With LONG=1, or for the
releases that are named, the packages are installed in systems that have nothing but a
kernel and its headers, upgraded, removed and purged there (deb-inside.sh), and the
images that initramfs-tools and dracut made meanwhile boot a guest.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from lib import CHROOT, HERE, make_system, possible, run_inside, TOP

sys.path.insert(0, os.path.join(TOP, "tests/vm"))
# pylint: disable=wrong-import-position
import rootdisk             # noqa: E402
from steps import LONG      # noqa: E402
from tap import Tap         # noqa: E402

BUILDER = os.path.join(TOP, "build/chroot-deb")
BUILDER_PACKAGES = [
    "debhelper", "dh-dkms", "lintian", "build-essential", "liburing-dev",
    "libvncserver-dev", "libpng-dev", "libslirp-dev", "pkg-config", "rpm", "rpmlint",
    "bash-completion", "man-db", "python3", "kmod", "mandoc"]
CLEAN_PACKAGES = ["linux-image-amd64", "linux-headers-amd64", "initramfs-tools", "udev"]
RELEASES = ("bookworm", "trixie")
BUILD = """
set -e
packaging/deb.sh "$1"
cd "$1"
lintian --pedantic --fail-on error,warning *.changes >lintian.log 2>&1 || true
dpkg-deb -x synthio-host_*_amd64.deb host
dpkg-deb -x synthio-dkms_*.deb dkms
host/usr/bin/synthhost --help >help
for page in "$2"/packaging/*/*.[78]; do mandoc -T lint -W warning "$page"; done \
    >mandoc.log 2>&1 || true
bash -n "$2/packaging/tools/synthio-ctl.bash"
# RPM knows nothing of Debian's packages; synthhost was built above
"$2/packaging/rpm.sh" "$1/rpm" --nodeps --without host
rpmlint -c "$2/packaging/rpm/rpmlint.toml" rpm/RPMS/*/*.rpm \
    "$2/packaging/rpm/synthio.spec" >rpmlint.log 2>&1 || true
"""


def run(system, *command, rw=(), log=None):
    """Runs a command in a system, of which nothing is kept."""
    binds = [x for path in rw for x in ("--bind", path)]
    return subprocess.run(
        [CHROOT, "run", "--bind-ro", TOP, *binds, "--scratch", system, *command],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode


def copy_of_the_tree(where, version):
    """The sources with another version, for an upgrade."""
    shutil.copytree(TOP, where, symlinks=True,
                    ignore=shutil.ignore_patterns("build", ".git", "tests"))
    with open(os.path.join(where, "VERSION"), "w", encoding="ascii") as f:
        f.write(version + "\n")


def version():
    """What the file says."""
    with open(os.path.join(TOP, "VERSION"), encoding="ascii") as f:
        return f.read().strip()


def text(*path):
    """A file's text."""
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def is_clean(out):
    """lintian has neither errors nor warnings, nor anything pedantic."""
    said = [x for x in text(out, "lintian.log").splitlines() if re.match("[EWPI]: ", x)]
    assert not said, "\n".join(said)


def rpm_is_clean(out):
    """rpmlint has neither errors nor warnings but those with a reason to stay."""
    log = text(out, "rpmlint.log")
    assert re.search(r"[23] packages and 1 specfiles checked", log), log
    said = [x for x in log.splitlines() if re.search(r": [EW]: ", x)]
    assert not said, "\n".join(said)
    assert len(glob.glob(f"{out}/rpm/RPMS/noarch/synthio-*-{version()}-*.rpm")) == 2


def says_version(out):
    """The packages, DKMS and the changelog of the project have one version."""
    debs = sorted(os.path.basename(x) for x in glob.glob(f"{out}/*.deb"))
    assert {x.split("_")[1] for x in debs} == {version()}, debs
    assert {x.split("_")[0] for x in debs} >= {"synthio-dkms", "synthio-host",
                                               "synthio-tools"}
    conf = text(out, f"dkms/usr/src/synthio-{version()}/dkms.conf")
    assert f'PACKAGE_VERSION="{version()}"' in conf, conf
    assert re.search(rf"^## .*{re.escape(version())}", text(TOP, "CHANGELOG.md"), re.M)


def documents(out):
    """Each option of synthhost is in its manual, which mandoc can read."""
    page = text(TOP, "packaging/host/synthhost.8").replace("\\-", "-")
    options = re.findall(r"^  (--[a-z-]+)", text(out, "help"), re.M)
    assert len(options) > 10, options
    missing = [o for o in options if o not in page and o not in HIDDEN]
    assert not missing, f"not in synthhost(8): {missing}"
    assert not text(out, "mandoc.log"), text(out, "mandoc.log")


# for developers; host/README.md and --help have them
HIDDEN = ("--single", "--die-at")


def build(out, log):
    """Builds the packages; True if that succeeded."""
    with open(log, "w", encoding="utf-8") as f:
        return not run(BUILDER, "sh", "-c", f'cd "{TOP}"' + BUILD, "sh", out, TOP,
                       rw=[out], log=f)


def build_next(out, log):
    """The same for a later version, without synthhost."""
    with tempfile.TemporaryDirectory(prefix="synthio-next.") as where:
        tree = os.path.join(where, "tree")
        copy_of_the_tree(tree, version() + "+1")
        os.mkdir(os.path.join(out, "next"))
        with open(log, "a", encoding="utf-8") as f:
            return not run(BUILDER, "env", "DEB_BUILD_FLAGS=--build=all",
                           f"{tree}/packaging/deb.sh", f"{out}/next",
                           rw=[where, out], log=f)


def install(tap, release, debs):
    """Reports what deb-inside.sh finds in a clean system of a release."""
    system = os.path.join(TOP, f"build/chroot-clean-{release}")
    if not make_system(tap, release, system, CLEAN_PACKAGES,
                       f"{release}: a system is made"):
        return
    with tempfile.TemporaryDirectory(prefix="synthio-deb.") as out:
        run_inside(tap, ["--bind-ro", debs, "--bind", out, "--scratch", system,
                         os.path.join(HERE, "deb-inside.sh"), debs, out],
                   os.path.join(TOP, f"build/logs/package.deb-{release}.log"),
                   f"{release}: ")
        for tool in ("initrd", "dracut"):
            rootdisk.test(tap, system, os.path.join(out, f"{tool}.img"),
                          f"{release}, {tool}: ")


def main():
    """Builds, looks, installs."""
    releases = sys.argv[1:] or (RELEASES if LONG else ())
    log = os.path.join(TOP, "build/logs/package.deb.log")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with Tap() as tap:
        if not possible(tap, "Debian packages") or not make_system(
                tap, "bookworm", BUILDER, BUILDER_PACKAGES,
                "a system with debhelper is made"):
            return
        with tempfile.TemporaryDirectory(prefix="synthio-debs.") as out:
            if not tap.ok(build(out, log), "the packages are built",
                          f"see {os.path.relpath(log, TOP)}"):
                return
            tap.test("lintian finds nothing", is_clean, out)
            tap.test("rpmlint finds nothing in those for RPM", rpm_is_clean, out)
            tap.test("they have one version, and CHANGELOG.md has it",
                     says_version, out)
            tap.test("the manuals have all options", documents, out)
            if releases and tap.ok(build_next(out, log), "so are those of an upgrade"):
                for release in releases:
                    install(tap, release, out)


if __name__ == "__main__":
    main()
