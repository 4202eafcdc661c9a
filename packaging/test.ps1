# test: see packaging/test. Not yet run on Windows.
& "$PSScriptRoot\test.cmd" @args
exit $LASTEXITCODE
