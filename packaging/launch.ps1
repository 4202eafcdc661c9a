# launch: see packaging/launch. Not yet run on Windows.
& "$PSScriptRoot\launch.cmd" @args
exit $LASTEXITCODE
