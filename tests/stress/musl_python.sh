#!/bin/sh
# Build a CPython that is linked with musl, to run the one file by it (tests/stress/any_box.py).
#
#     apt-get install musl-tools
#     sh tests/stress/musl_python.sh CPYTHON-SOURCE LIBFFI-SOURCE OUT     then OUT/bin/python3
#
# The sources are unpacked directories. It has no ssl, zlib, bz2 and lzma; Bramble runs without them.
set -eu
python=$(realpath "$1") ffi=$(realpath "$2")
mkdir -p "$3"
out=$(realpath "$3")
# Both configure scripts look in directories of glibc, too.
cat >"$out/cc" <<'END'
#!/bin/bash
case " $* " in *" --print-multiarch "*) echo x86_64-linux-musl; exit ;; esac
words=()
for word; do case $word in -I/usr* | -L/usr* | -L/lib*) ;; *) words+=("$word") ;; esac; done
exec musl-gcc "${words[@]}"
END
chmod +x "$out/cc"
cd "$ffi"
./configure CC="$out/cc" --disable-shared --with-pic --disable-docs --disable-multi-os-directory \
    --disable-exec-static-tramp --prefix="$out"
make install
cd "$python"
./configure CC="$out/cc" --disable-test-modules --without-ensurepip --prefix="$out"
make
make install
modules=$("$out/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("platstdlib") + "/lib-dynload")')
suffix=$("$out/bin/python3" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
include="-shared -fPIC -O2 -DPy_BUILD_CORE_MODULE -I. -IInclude -IInclude/internal"
# The first is left out with zlib, the second because pkg-config does not know of this libffi.
"$out/cc" $include Modules/binascii.c -o "$modules/binascii$suffix"
"$out/cc" $include -DHAVE_FFI_PREP_CIF_VAR -DHAVE_FFI_PREP_CLOSURE_LOC -DHAVE_FFI_CLOSURE_ALLOC \
    -I"$out/include" Modules/_ctypes/_ctypes.c Modules/_ctypes/callbacks.c Modules/_ctypes/callproc.c \
    Modules/_ctypes/stgdict.c Modules/_ctypes/cfield.c -L"$out/lib" -lffi -o "$modules/_ctypes$suffix"
