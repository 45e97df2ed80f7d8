# Runs in a sandbox: no network, no home, nothing of this machine, only the
# tools that default.bramble names. What it writes to $out is the result.
set -e

mkdir -p $out/bin
cat > $out/bin/say-hello-world <<END
#!$tools/bin/sh
echo "Hello World!"
END
chmod +x $out/bin/say-hello-world

# Try it before anybody else does.
$out/bin/say-hello-world
