-- Health of an ImageBuild for Argo CD: resource.customizations.health.build.stagewright.dev_ImageBuild in argocd-cm.
-- Without it Argo CD takes the kind for healthy as soon as it is applied, and sync waves do not wait.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready

local function health(name, message)
  return {status = name, message = message or ""}
end

-- The operator has not seen this version of the object yet.
if obj.metadata.deletionTimestamp == nil and (status.observedGeneration or -1) < (obj.metadata.generation or 0) then
  return health("Progressing", "waiting for the operator")
end
if conditions.Reconciling ~= nil and conditions.Reconciling.status == "True" then
  return health("Progressing", conditions.Reconciling.message)
end
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return health("Degraded", conditions.Stalled.message)
end
if ready == nil then
  return health("Progressing", "waiting for the operator")
end
if ready.status == "True" then
  return health("Healthy", ready.message)
end
if ready.reason == "Suspended" then
  return health("Suspended", ready.message)
end
if ready.status == "False" then
  return health("Degraded", ready.message)
end
return health("Progressing", ready.message)
