// SPDX-License-Identifier: GPL-3.0-or-later
// file-field.tsx - a text that comes from a file, dropped or chosen, and can be looked at and changed.
import { FileUpload } from "@patternfly/react-core";
import { useState } from "react";
import { _ } from "~/lib/i18n";
import { Field } from "~/parts/fields";

export function FileField({ id, label, help, error, value, onChange }: { id: string; label: string; help?: string; error?: string | undefined; value: string; onChange: (text: string) => void }) {
  const [fileName, setFileName] = useState("");
  return (
    <Field id={id} label={label} isRequired help={help} error={error}>
      <FileUpload
        id={id}
        type="text"
        value={value}
        filename={value ? fileName : ""}
        filenamePlaceholder={_("Drop a file here, or choose one")}
        filenameAriaLabel={_("Name of the file")}
        browseButtonText={_("Choose a file")}
        clearButtonText={_("Clear")}
        aria-label={_("Content of the file")}
        validated={error ? "error" : "default"}
        onFileInputChange={(_e, file) => setFileName(file.name)}
        onDataChange={(_e, v) => onChange(v)}
        onTextChange={(_e, v) => onChange(v)}
        onClearClick={() => onChange("")}
        allowEditingUploadedText
      />
    </Field>
  );
}
