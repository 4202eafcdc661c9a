# NOT YET RUN: written beside the Linux scripts, which are run and verified; expect to mend details on the first Windows run.
#
# Builds dist\model-workbench-VERSION-setup.exe. Needs Python 3.11+ (the py launcher), the C++ build tools of Visual Studio
# 2022 with CMake, and Inno Setup 6. The first run compiles llama.cpp.
#
#   packaging\windows\build.ps1                    the installer
#   packaging\windows\build.ps1 -BundleOnly        only the bundle, build\windows\dist\model-workbench
#   packaging\windows\build.ps1 -Sign              signs programs and installer: signtool with the certificate that
#                                                  $env:WORKBENCH_SIGN_THUMBPRINT names
param([switch]$BundleOnly, [switch]$Sign)
$ErrorActionPreference = "Stop"
Set-StrictMode -Version Latest
Set-Location (Join-Path $PSScriptRoot "..\..")
$root = (Get-Location).Path
$work = Join-Path $root "build\windows"
$python = Join-Path $work "venv\Scripts\python.exe"

function Invoke-Checked {
    $program, $arguments = $args
    & $program @arguments
    if ($LASTEXITCODE -ne 0) { throw "$program ended with $LASTEXITCODE" }
}

function Add-Signature([string[]]$files) {
    if (-not $Sign) { return }
    Invoke-Checked signtool sign /sha1 $env:WORKBENCH_SIGN_THUMBPRINT /fd SHA256 /tr http://timestamp.digicert.com /td SHA256 @files
}

New-Item -ItemType Directory -Force -Path $work, (Join-Path $root "dist") | Out-Null
if (-not (Test-Path $python)) { Invoke-Checked py -3 -m venv (Join-Path $work "venv") }

# A library for each kind of x86-64 processor; the engine loads the best that the machine can run. pip's cache may hold a
# wheel for this machine only. Without OpenMP, whose library would have to be installed; llama.cpp has threads of its own.
$line = Select-String -Path pyproject.toml -Pattern '^\s*"(llama-cpp-python[^"]*)",$' | Select-Object -First 1
$wanted = $line.Matches[0].Groups[1].Value
$wheels = Join-Path $work "wheels-all-cpus"
if (-not (Test-Path (Join-Path $wheels "llama_cpp_python-*.whl"))) {
    $env:CMAKE_ARGS = "-DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DGGML_OPENMP=OFF " +
        "-DLLAVA_BUILD=OFF -DCMAKE_INSTALL_BINDIR=llama_cpp/lib"
    Invoke-Checked $python -m pip wheel --no-cache-dir --no-deps --no-binary llama-cpp-python -w $wheels $wanted
}
Invoke-Checked $python -m pip install --quiet --no-index --no-deps --find-links $wheels $wanted
Invoke-Checked $python -m pip install --quiet "pyinstaller>=6.10" packaging .
Invoke-Checked $python -m pip install --quiet --no-deps --force-reinstall .

$env:WORKBENCH_ICON = Join-Path $work "workbench.ico"
Invoke-Checked $python packaging\icons.py ico $env:WORKBENCH_ICON
$version = (& $python -c "import workbench; print(workbench.__version__)").Trim()
$env:WORKBENCH_VERSION_INFO = Join-Path $work "version_info.txt"
Invoke-Checked $python packaging\windows\version_info.py $version $env:WORKBENCH_VERSION_INFO

Push-Location $work
try {
    Invoke-Checked $python -m PyInstaller --noconfirm --log-level WARN --distpath dist --workpath pyinstaller `
        (Join-Path $root "packaging\workbench.spec")
} finally { Pop-Location }
$bundle = Join-Path $work "dist\model-workbench"
Add-Signature @((Join-Path $bundle "workbench.exe"), (Join-Path $bundle "workbench-gui.exe"))

# What is imported late is there, and the engine loads the starter model and answers.
$env:QT_QPA_PLATFORM = "offscreen"
$env:WORKBENCH_LATE_IMPORTS = (& $python packaging\late_imports.py) -join " "
Invoke-Checked (Join-Path $bundle "workbench.exe") --python-code (Get-Content -Raw packaging\self_test.py)
Invoke-Checked (Join-Path $bundle "workbench.exe") run "Say hello."
if ($BundleOnly) { return }

$compiler = Get-Command iscc -ErrorAction SilentlyContinue
$iscc = if ($compiler) { $compiler.Source } else { "${env:ProgramFiles(x86)}\Inno Setup 6\ISCC.exe" }
Invoke-Checked $iscc /Qp "/DVersion=$version" "/DBundle=$bundle" "/DIcon=$env:WORKBENCH_ICON" `
    "/DOutput=$(Join-Path $root 'dist')" packaging\windows\workbench.iss
Add-Signature @((Join-Path $root "dist\model-workbench-$version-setup.exe"))
Get-ChildItem dist
