; NOT YET RUN. Inno Setup 6 script, called by build.ps1 with /DVersion, /DBundle, /DIcon and /DOutput.
; Installs for one user without administrator's rights, or for all users if started so. User data
; (%LOCALAPPDATA%\model-workbench) is touched by neither upgrade nor removal.

[Setup]
; never change the AppId: upgrades are recognised by it
AppId={{6B0C0E9E-4B1C-4E55-9C39-0B5C2E3B7A11}
AppName=Model Workbench
AppVersion={#Version}
AppPublisher=The Model Workbench developers
DefaultDirName={autopf}\Model Workbench
DefaultGroupName=Model Workbench
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
LicenseFile=..\..\LICENSE
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\workbench-gui.exe
OutputDir={#Output}
OutputBaseFilename=model-workbench-{#Version}-setup
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
ChangesAssociations=yes
ChangesEnvironment=yes
CloseApplications=yes
RestartApplications=no

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "de"; MessagesFile: "compiler:Languages\German.isl"

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: "associate"; Description: "{cm:AssocFileExtension,Model Workbench,.gguf}"
Name: "path"; Description: "PATH: workbench.exe"; Flags: unchecked

[InstallDelete]
; of the version before: a module that is gone must not be found
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Bundle}\*"; DestDir: "{app}"; Flags: recursesubdirs createallsubdirs ignoreversion

[Icons]
Name: "{autoprograms}\Model Workbench"; Filename: "{app}\workbench-gui.exe"
Name: "{autodesktop}\Model Workbench"; Filename: "{app}\workbench-gui.exe"; Tasks: desktopicon

[Registry]
Root: HKA; Subkey: "Software\Classes\.gguf"; ValueType: string; ValueData: "ModelWorkbench.gguf"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\.gguf\OpenWithProgids"; ValueType: string; ValueName: "ModelWorkbench.gguf"; ValueData: ""; Flags: uninsdeletevalue
Root: HKA; Subkey: "Software\Classes\ModelWorkbench.gguf"; ValueType: string; ValueData: "GGUF language model"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\ModelWorkbench.gguf\DefaultIcon"; ValueType: string; ValueData: "{app}\workbench-gui.exe,0"
Root: HKA; Subkey: "Software\Classes\ModelWorkbench.gguf\shell\open\command"; ValueType: string; ValueData: """{app}\workbench-gui.exe"" ""%1"""
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: NotOnPath

[Run]
Filename: "{app}\workbench-gui.exe"; Description: "{cm:LaunchProgram,Model Workbench}"; Flags: nowait postinstall skipifsilent

[Code]
function NotOnPath(): Boolean;
var
  Old: String;
begin
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Old) then
    Old := '';
  Result := Pos(';' + Lowercase(ExpandConstant('{app}')) + ';', ';' + Lowercase(Old) + ';') = 0;
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Old, Folder: String;
begin
  if Step <> usPostUninstall then
    exit;
  Folder := ';' + ExpandConstant('{app}');
  if RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Old) and (Pos(Lowercase(Folder), Lowercase(Old)) > 0) then
  begin
    Delete(Old, Pos(Lowercase(Folder), Lowercase(Old)), Length(Folder));
    RegWriteExpandStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Old);
  end;
end;
