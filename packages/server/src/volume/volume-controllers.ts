import type { ControllerContext, RunningController } from '../controller/context.ts'
import { createArea } from './area.ts'
import { claimController } from './claims/controller.ts'
import { contentController } from './contents/controller.ts'
import { dataVolumeController } from './data-volumes/controller.ts'
import { defaultsController } from './defaults.ts'
import type { VolumeDriver } from './driver.ts'
import { fillController } from './fills/controller.ts'
import { Filler } from './fills/filler.ts'
import { profileController } from './profiles.ts'
import { snapshotController } from './snapshots/controller.ts'
import type { RawRoute } from './uploads/route.ts'
import { UploadTokens } from './uploads/token.ts'
import { tokenRequestPrefix, tokenRequestRoute } from './uploads/token-requests.ts'
import { archivePaths, asyncUploadPath, uploadPath, uploadRoute } from './uploads/upload.ts'
import { volumeController } from './volumes/controller.ts'

export interface VolumeOptions {
  dataDir: string
  /** Connected CSI drivers by name. */
  csi: ReadonlyMap<string, VolumeDriver>
  /** Directories that `file://` imports may read; none when absent. */
  importDirs?: readonly string[]
  /** Where clients reach the upload endpoint, as `CDIConfig` tells them. */
  uploadUrl?: string
  /** How long book-keeping waits after the cut of a set, in favour of the thaw it sets off. Default 200 ms. */
  headStartMs?: number
}

export interface RunningVolumeControllers extends RunningController {
  /** Plain HTTP routes by path prefix, for the API server. */
  routes: ReadonlyMap<string, RawRoute>
}

/** Claims, volumes, volume snapshots and data volumes, served by CSI drivers. */
export function volumeControllers(context: ControllerContext, options: VolumeOptions): RunningVolumeControllers {
  const area = createArea(context, options)
  const filler = new Filler(area, options.importDirs ?? [])
  let loading: Promise<UploadTokens> | undefined
  const tokens = (): Promise<UploadTokens> => {
    loading ??= UploadTokens.load(options.dataDir)
    return loading
  }
  const upload = uploadRoute(area, filler, tokens)
  const controllers = [
    defaultsController(area),
    snapshotController(area),
    contentController(area),
    claimController(area, { abandonFill: (uid) => filler.abandon(uid) }),
    volumeController(area),
    fillController(area, filler),
    dataVolumeController(area),
    profileController(area, options.uploadUrl),
  ]
  return {
    routes: new Map([
      ...[uploadPath, asyncUploadPath, ...archivePaths].map((path) => [path, upload] as const),
      [tokenRequestPrefix, tokenRequestRoute(area, tokens)] as const,
    ]),
    close: async () => {
      const closed = Promise.all(controllers.map((controller) => controller.close()))
      // What is being written would otherwise be waited for to its end.
      await filler.close()
      await closed
      await area.events.flush()
    },
  }
}
